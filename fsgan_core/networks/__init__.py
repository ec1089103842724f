"""Networks, each a module built from a frozen configuration."""
