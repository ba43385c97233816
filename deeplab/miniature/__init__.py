"""Drawn twins: `drawing`, `look_alikes`, `scenes`, `twins`, `stamp` (files), `mark`, `backbone`."""
