"""The same job in Fastify, `bench/peers/fastify`: installed from its lock, then run as a process of its own."""

import shutil
import subprocess
from pathlib import Path

from bench.figures import start
from bench.manifest_server import CONTENTS, TOKEN
from streaming_service.errors import ConfigurationError

_FOLDER = Path(__file__).parent / "peers" / "fastify"


def spawn_peer(core: int | None) -> subprocess.Popen[str]:
    """Prints its port when it listens. Raises ConfigurationError without Node.js or its packages."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise ConfigurationError(["node and npm run the peer: install Node.js 20 or newer"])
    if not (_FOLDER / "node_modules" / ".package-lock.json").exists():
        install = [npm, "ci", "--no-audit", "--no-fund"]
        done = subprocess.run(install, check=False, cwd=_FOLDER, capture_output=True, text=True)
        if done.returncode:
            raise ConfigurationError([f"npm ci in {_FOLDER.name}: {done.stderr.strip()[-400:]}"])
    env = {"PEER_CONTENTS": str(CONTENTS), "PEER_TOKEN": TOKEN, "NODE_ENV": "production"}
    return start([node, str(_FOLDER / "server.js")], core=core, env=env)
