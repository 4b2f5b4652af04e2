"""What is said where an extra was not installed."""

MISSING = """error: {error}
The VMs of one machine need further packages. Install them: pip install 'vmpool-ext[qemu]'"""
