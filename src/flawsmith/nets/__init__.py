"""Network blocks that several generators and inspectors share."""
