"""The published table: `rows` and the `verdict` on a reproduction."""
