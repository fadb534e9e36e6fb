"""A recorder behind the stand-in CDN control."""


class Actions:
    """What CDN control was made to do."""

    def __init__(self) -> None:
        self.purged: list[str] = []
        self.warmed: list[str] = []
        self.cookies: list[str] = []

    async def warm(self, url: str, cookies: str) -> None:
        self.warmed.append(url)
        self.cookies.append(cookies)
