"""The demo label: what really happened to it, the files of it that services gave, and the proof that tables tell it."""
