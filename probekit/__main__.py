"""``python -m probekit``: the command, for a process that knows its interpreter and no PATH."""

from probekit.cli import main

if __name__ == "__main__":
    main()
