"""Near-duplicate removal past one machine: the stages, their order, and who runs them.

`mithril.ray` and `mithril.spark` are what to use; they are thin, and this is what they share:

- `stages`: the tasks, pure functions over tables of Arrow;
- `plan`: which tasks run on what, and the decisions, which are all that the driver holds;
- `runner`: what a cluster has to be able to do, and a runner for one process;
- `source`: where blocks of rows come from;
- `result`: what comes out.

Everything here needs pyarrow.
"""
