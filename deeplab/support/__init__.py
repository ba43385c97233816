"""What every room stands on: errors, files, locks, downloads; nothing about segmentation."""
