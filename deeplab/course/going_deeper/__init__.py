"""Lesson D, *Going deeper*: its figures, its checks and its measure of what a cell can hold."""
