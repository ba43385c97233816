"""What every room stands on, hardly anything of it about segmentation.

`errors`, `files`, `own` and `folders` (the habits of every module), `strict_json` and `schema`
(what is read as JSON), `plain` (texts made harmless), `locks`, `signals`, `background` (a task in
a thread), `download` and `remote` (what is fetched), `pictures`, `png`, `jpeg`, `webp`, `intact`
and `decode` (picture files, whole or refused), `known` (files with a digest), `pack` (decoded
ones), `seal` and `blocks` (JSON and bytes with checksums), `zips` (archives), `torch_file` and
`torch_program` (files of torch.save, looked at before they are loaded), `source` (code to hash),
`machine` (what differs between machines), `cuda` (GPUs), `streams` (what a GPU does meanwhile),
`torch_errors` (PyTorch's, in our words), `scores` (numbers that may be undefined), `entry` (a
dataset's description, checked), `listing` (which files there are), `crash` (tests only), `void`
(how unlabelled pixels are marked).
"""
