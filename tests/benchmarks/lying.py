"""A node that claims to have everything, and has other bytes: `lying.py FOLDER ADDRESS CONTACT LIMIT FILE`.

LIMIT is how many bytes a second it sends, 0 for as many as it can; FILE a JSON list of integrities. It lies until its
standard input ends.
"""

import asyncio
import base64
import json
import sys
from pathlib import Path

from libreseed.network.overlay.claims import HeldBlob
from libreseed.network.overlay.overlay import Overlay
from libreseed.network.overlay.settings import OverlaySettings
from libreseed.network.overlay.storage import MemoryStorage
from libreseed.swarm.session import Session
from libreseed.swarm.settings import SessionSettings
from support.liar import lying_torrent


async def main(folder: Path, address: str, contact: str, limit: int, integrities: list[str]) -> None:
    folder.mkdir()
    session = Session(SessionSettings(address, upload_limit=limit))
    await session.start()
    overlay = Overlay(OverlaySettings(host=address, p2p_port=session.port), MemoryStorage())
    await overlay.start()
    await overlay.bootstrap([contact])
    digests = [base64.b64decode(text.removeprefix("sha512-")) for text in integrities]
    garbage = b"not what you want" * 50_000
    refs = []
    for digest in digests:
        torrent = lying_torrent(folder, digest, garbage)
        session.seed(torrent, folder)
        refs.append(torrent.ref)
    await overlay.announce(HeldBlob(ref.sha512, ref.v1, ref.v2, ref.length) for ref in refs)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:4], int(sys.argv[4]), json.loads(Path(sys.argv[5]).read_text())))
