"""The smallest VNC viewer: it knows the password, and looks."""

import asyncio

PATIENCE = 60


async def look(display, offer):
    """Go through the protocol's greeting with the offered password until the display is open, or `PermissionError`."""
    reader = _Reader(display)
    assert await reader.exactly(12) == b"RFB 003.008\n"
    await display.write(b"RFB 003.008\n")
    kinds = await reader.exactly((await reader.exactly(1))[0])
    assert 2 in kinds  # by password
    await display.write(b"\x02")
    await display.write(_response(offer.password, await reader.exactly(16)))
    if await reader.exactly(4) != b"\0\0\0\0":
        raise PermissionError
    await display.write(b"\x01")  # others may look too
    width_and_height = await reader.exactly(4)
    assert any(width_and_height)


class _Reader:
    def __init__(self, display):
        self._display = display
        self._rest = b""

    async def exactly(self, count):
        while len(self._rest) < count:
            chunk = await asyncio.wait_for(self._display.read(), PATIENCE)
            if not chunk:
                raise PermissionError
            self._rest += chunk
        result, self._rest = self._rest[:count], self._rest[count:]
        return result


def _response(password, challenge):
    # VNC takes each byte of the password with its bits turned round.
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in password.encode()[:8].ljust(8, b"\0"))
    return des(key, challenge[:8]) + des(key, challenge[8:])


# The Data Encryption Standard (FIPS 46-3), bit lists for clarity.

_IP = [b for start in (58, 60, 62, 64, 57, 59, 61, 63) for b in range(start, 0, -8)]
_E = [(4 * block + offset) % 32 + 1 for block in range(8) for offset in range(-1, 5)]
_P = [
    *(16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10),
    *(2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25),
]
_PC1 = [
    *(57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36),
    *(63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4),
]
_PC2 = [
    *(14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2),
    *(41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32),
]
_SHIFTS = (1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1)
_BOXES = [
    "e4d12fb83a6c5907 0f74e2d1a6cb9538 41e8d62bfc973a50 fc8249175b3ea06d",
    "f18e6b34972dc05a 3d47f28ec01a69b5 0e7ba4d158c6932f d8a13f42b67c05e9",
    "a09e63f51dc7b428 d709346a285ecbf1 d6498f30b12c5ae7 1ad069874fe3b52c",
    "7de3069a1285bc4f d8b56f03472c1ae9 a690cb7df13e5284 3f06a1d8945bc72e",
    "2c417ab6853fd0e9 eb2c47d150fa3986 421bad78f9c5630e b8c71e2d6f09a453",
    "c1af92680d34e75b af427c9561de0b38 9ef528c3704a1db6 432c95fabe17608d",
    "4b2ef08d3c975a61 d0b7491ae35c2f86 14bdc37eaf680592 6bd814a7950fe23c",
    "d2846fb1a93e50c7 1fd8a374c56b0e92 7b419ce206adf358 21e74a8dfc90356b",
]


def _bits(data):
    return [byte >> shift & 1 for byte in data for shift in range(7, -1, -1)]


def _pick(bits, table):
    return [bits[place - 1] for place in table]


def _number(bits):
    return int("".join(map(str, bits)), 2)


def _round(half, key):
    mixed = [a ^ b for a, b in zip(_pick(half, _E), key, strict=True)]
    out = []
    for box, six in zip(_BOXES, zip(*[iter(mixed)] * 6, strict=True), strict=True):
        row, column = _number((six[0], six[5])), _number(six[1:5])
        out += [int(bit) for bit in f"{int(box.split()[row][column], 16):04b}"]
    return _pick(out, _P)


def des(key, block):
    left, right = _pick(_bits(key), _PC1)[:28], _pick(_bits(key), _PC1)[28:]
    a, b = (half := _pick(_bits(block), _IP))[:32], half[32:]
    for shift in _SHIFTS:
        left, right = left[shift:] + left[:shift], right[shift:] + right[:shift]
        a, b = b, [x ^ y for x, y in zip(a, _round(b, _pick(left + right, _PC2)), strict=True)]
    inverse = sorted(range(1, 65), key=lambda place: _IP[place - 1])
    out = _pick(b + a, inverse)
    return bytes(_number(out[start : start + 8]) for start in range(0, 64, 8))
