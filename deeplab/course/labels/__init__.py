"""Lesson 1, labels, void and mIoU: its figures, its checks and what else it shows."""
