"""One run and many of them.

Reading order: `parameters` (what can be asked; `given`: by which names of a notebook), `config`
(what is asked; `chosen`: of many rows), `device` (where it computes), `network` (the paper's
networks beside the table's), `recompute` (less memory), `experiment` (the run as its notebook
sees it; `outcome`: what it came to; `shared`: a training that several rows evaluate), `facts`,
`evidence`, `events` (for TensorBoard), `peak` (memory) and `result` (what it leaves; `records`:
the shape of its files), `fingerprint` and `deviations`, `begin` (what it leaves first), `run_row`
and `notebook` (one row, safe to repeat; `kernel`: where its cells run), `batch`, `cluster`,
`worker`, `slurm`, `queue` and `sbatch` (many rows), `status` and `live` (what there is to see of
them); `launch` and `rank` (a row on several processes); `evaluate`, `predict` and `photos`
(weights that are trained already).
"""
