"""Packages that no honest tool writes, each as bytes.  What zipfile would refuse to write is put
together from the format's records here."""
import io
import stat
import struct
import zipfile
import zlib

UNZIPPED_BYTES_MAX = 262144000
FILES_MAX = 100000
MIB = bytes(1 << 20)
HANDLER = "def handler(event, context):\n    return event\n"


def honest(source=HANDLER):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr("main.py", source)
    return out.getvalue()


def of_one(name, mode, data=b""):
    """A zip with main.py and one more entry of any name and any Unix mode."""
    out = io.BytesIO(honest())
    with zipfile.ZipFile(out, "a") as z:
        entry = zipfile.ZipInfo(name)
        entry.create_system = 3
        entry.external_attr = mode << 16
        z.writestr(entry, data)
    return out.getvalue()


def records(names, entry_of):
    """A zip whose directory names every one of `names`; entry_of(i) says (offset, packed, size, crc) of
    its content and adds to the file."""
    file = io.BytesIO()
    directory = io.BytesIO()
    for i, name in enumerate(names):
        offset, packed, size, crc = entry_of(i, name, file)
        directory.write(struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 0x314, 20, 0, 8, 0, 0x58A1, crc, packed,
                                    size, len(name), 0, 0, 0, 0, (stat.S_IFREG | 0o644) << 16, offset) + name)
    at = file.tell()
    table = directory.getvalue()
    count = min(len(names), 0xFFFF)
    file.write(table)
    if len(names) > 0xFFFE:
        end = file.tell()
        file.write(struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, len(names), len(names), len(table), at))
        file.write(struct.pack("<IIQI", 0x07064B50, 0, end, 1))
    file.write(struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, len(table), at, 0))
    return file.getvalue()


def deflated(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def local(name, packed, size, crc):
    return struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, 0, 8, 0, 0x58A1, crc, packed, size, len(name), 0) + name


def of_files(names, data):
    """Many files of one content."""
    packed = deflated(data)
    crc = zlib.crc32(data)

    def add(_, name, file):
        offset = file.tell()
        file.write(local(name, len(packed), len(data), crc) + packed)
        return offset, len(packed), len(data), crc

    return records(names, add)


def too_large():
    """251 MB of nothing: 250 MiB is the limit, and one byte more."""
    whole = [b"f%d" % i for i in range(UNZIPPED_BYTES_MAX // len(MIB) + 1)]
    return of_files(whole, MIB)


def too_many():
    return of_files([b"%06d" % i for i in range(FILES_MAX + 1)], b"")


def bomb():
    """10 GB, honestly written, in 10 MB."""
    return of_files([b"%05d" % i for i in range(10000)], MIB)


def shared():
    """Ten thousand names for the same megabyte: 10 GB in a file of a few hundred kilobytes."""
    packed = deflated(MIB)
    crc = zlib.crc32(MIB)

    def add(i, name, file):
        if i == 0:
            file.write(local(name, len(packed), len(MIB), crc) + packed)
        return 0, len(packed), len(MIB), crc

    return records([b"%05d" % i for i in range(10000)], add)
