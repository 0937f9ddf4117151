"""A network that fails at first: a TCP proxy that resets the first connections, then passes bytes on.

python -m benchmarks.measures.debug.proxy PORT http://127.0.0.1:5000 COUNT
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from urllib.parse import urlsplit

#: Close with a reset instead of a farewell.
_RESET = struct.pack("ii", 1, 0)


async def serve(port: int, target: str, resets: int) -> None:
    """Listen on 127.0.0.1 for ever.

    Args:
        port: where.
        target: such as `http://127.0.0.1:5000`.
        resets: so many connections are reset.
    """
    host, wanted = urlsplit(target).hostname, urlsplit(target).port
    left = resets

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while some := await reader.read(65536):
                writer.write(some)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        if left > 0:
            left -= 1
            print("reset a connection", flush=True)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()
            return
        to_reader, to_writer = await asyncio.open_connection(host, wanted)
        await asyncio.gather(pass_on(reader, to_writer), pass_on(to_reader, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    print("listening", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
