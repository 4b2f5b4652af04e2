"""Pools and VMs as people write them: files in, resources or violations out."""
