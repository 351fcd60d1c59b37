"""A TaskTiger worker, with the flags of the `tasktiger` command."""

import sys

from peer import tiger

if __name__ == "__main__":
    tiger.run_worker_with_args(sys.argv[1:])
