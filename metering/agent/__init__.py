"""The node agent: runs on a GPU server, reads engine and accelerator registers, signs and ships them.

Reads only. Needs the standard library, httpx, msgspec, cryptography, zstandard and nvidia-ml-py; nothing of
Django.
"""

AGENT_VERSION = "0.1.0"
