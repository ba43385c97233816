"""Lesson 4, Multi-Grid: its figures, its checks and what else it shows."""
