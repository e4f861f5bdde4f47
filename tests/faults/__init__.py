"""What goes wrong outside: processes that are killed, disks that are full, files that were tampered with."""
