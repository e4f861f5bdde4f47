"""The lock on a file: one process writes it, and the lock goes with the process, however it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    # Windows locks bytes, and nobody else may read these: one that no journal reaches.
    _FAR = 2**62

    def _try(descriptor: int, shared: bool) -> None:
        here = os.lseek(descriptor, 0, os.SEEK_CUR)
        try:
            os.lseek(descriptor, _FAR, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            if shared:
                os.lseek(descriptor, _FAR, os.SEEK_SET)
                msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(*error.args) from error
        finally:
            os.lseek(descriptor, here, os.SEEK_SET)

else:
    import fcntl

    def _try(descriptor: int, shared: bool) -> None:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        if shared:
            fcntl.flock(descriptor, fcntl.LOCK_UN)


def lock(descriptor: int) -> bool:
    """Lock an open file until it is closed or the process ends; False if another one has it.

    The lock belongs to the open file, so a second opening in the same process is refused too; a forked child has it
    until it closes the file.

    Parameters
    ----------
    descriptor
        The number of the open file.

    Raises
    ------
    OSError
        If the file system has no locks.
    """
    try:
        _try(descriptor, shared=False)
    except BlockingIOError:
        return False
    return True


def is_locked(path: Path) -> bool:
    """Whether somebody, here or in another process, has locked that file; a file that is not there is not locked."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        _try(descriptor, shared=True)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False
