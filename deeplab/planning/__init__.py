"""Cost before spending: `cost` (multiply-adds), `memory`, `gpus`, `plan`, `loaders` (of data),
`plan_text`; `request` (what to ask a cluster for), `fitting` (what would fit a GPU)."""
