"""VMs of a Kubernetes cluster that runs VM-Operator, whose manager goes on working on the same pools."""
