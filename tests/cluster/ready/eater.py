"""Takes more memory than its function may have."""
taken = []
while True:
    taken.append(bytearray(b"x") * (1 << 20))
