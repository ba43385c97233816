"""Cost before spending: `cost` (multiply-adds), `memory`, `gpus`, `plan` and `plan_text`."""
