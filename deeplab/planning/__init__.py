"""Cost before spending: `cost` (multiply-adds), `memory`, `gpus`, `plan`, `plan_text`; `request`
(what to ask a cluster for)."""
