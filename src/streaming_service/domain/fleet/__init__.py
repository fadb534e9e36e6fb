"""The OMEs there are: which pools they form, how they fare, and who of them gets a channel."""
