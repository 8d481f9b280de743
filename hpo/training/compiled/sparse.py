"""Images as lists of their non-zero pixels, and a batch's lists turned from images to pixels.

A normalized image is  ``table[code] + zero``  at each pixel, where ``zero`` is the value of a black
one and ``table[0]`` is 0. So the first layer is a sum over non-zero pixels plus ``zero`` times the
sum of all its rows: the same product as over all pixels, without the black ones.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hpo.training.compiled.compiling import Codes, Floats, Indices, kernel
from hpo.training.compiled.vector_code import prefetch_line
from hpo.training.data import Dataset

# 98 rows of 128 floats are 49 KiB, about a first-level cache; 784 = 8 * 98.
BLOCK_INPUTS = 98
MAX_INPUTS = 2**16  # inputs are counted in 16 bits

Shorts = npt.NDArray[np.uint16]
Places = npt.NDArray[np.uint32]  # unsigned: numba need not ask whether an index is negative
u32 = np.uint32


class SparseImages(NamedTuple):
    """One split of a data set.

    Attributes:
        starts: Where each image's list begins, int64, shape (images + 1,).
        blocks: Where in its list each block of ``BLOCK_INPUTS`` inputs begins, and its length,
            shape (images, blocks + 1).
        inputs: Non-zero inputs of each image, ascending, uint16, flat.
        codes: Their raw values, uint8, flat.
        labels: Classes, int64, shape (images,).
        table: Raw value -> normalized value minus ``zero``, float32, shape (256,).
        zero: The normalized value of raw 0.
    """

    starts: Indices
    blocks: Places
    inputs: Shorts
    codes: Codes
    labels: Indices
    table: Floats
    zero: float


class PixelLists(NamedTuple):
    """A batch's non-zero pixels, listed by input; scratch that each batch overwrites.

    Attributes:
        starts: Where each input's list begins, shape (inputs + 1,).
        ends: Scratch, shape (inputs,).
        images: Places in the batch, uint16, flat.
        codes: Raw values, uint8, flat.
    """

    starts: Places
    ends: Places
    images: Shorts
    codes: Codes


def sparse_images(dataset: Dataset, split: str) -> SparseImages:
    """A split as lists, made once for each data set and kept with it.

    Args:
        dataset: Of uint8 images.
        split: ``train`` or ``test``.
    """
    key = f"sparse {split}"
    if key not in dataset.prepared:
        dataset.prepared[key] = _listed(dataset, split)
    images: SparseImages = dataset.prepared[key]
    return images


def _listed(dataset: Dataset, split: str) -> SparseImages:
    images, labels = dataset.split(split).images, dataset.split(split).labels
    n_blocks = -(-dataset.n_inputs // BLOCK_INPUTS)
    starts = np.zeros(len(images) + 1, np.int64)
    np.cumsum(np.count_nonzero(images, axis=1), out=starts[1:])
    blocks = np.zeros((len(images), n_blocks + 1), np.uint32)
    inputs, codes = np.empty(starts[-1], np.uint16), np.empty(starts[-1], np.uint8)
    _list_nonzero(images, starts, blocks, inputs, codes)
    raw = np.arange(256, dtype=np.float32)
    normalized = (raw / np.float32(dataset.unit) - np.float32(dataset.mean)) / np.float32(
        dataset.std
    )
    table = normalized - normalized[0]
    return SparseImages(starts, blocks, inputs, codes, labels, table, float(normalized[0]))


@kernel
def _list_nonzero(
    images: Codes, starts: Indices, blocks: Places, inputs: Shorts, codes: Codes
) -> None:
    n_inputs = images.shape[1]
    for image in range(images.shape[0]):
        place = starts[image]
        for i in range(n_inputs):
            if i % BLOCK_INPUTS == 0:
                blocks[image, i // BLOCK_INPUTS] = place - starts[image]
            if images[image, i] != 0:
                inputs[place] = i
                codes[place] = images[image, i]
                place += 1
        blocks[image, blocks.shape[1] - 1] = place - starts[image]


def pixel_lists(images: SparseImages, n_inputs: int, batch_size: int) -> PixelLists:
    """Scratch for the densest batch there can be.

    Args:
        images: Of the split that batches are taken from.
        n_inputs: Values in one image.
        batch_size: The largest batch.
    """
    longest = np.sort(np.diff(images.starts))[-batch_size:].sum()
    return PixelLists(
        np.zeros(n_inputs + 1, np.uint32),
        np.zeros(n_inputs, np.uint32),
        np.empty(longest, np.uint16),
        np.empty(longest, np.uint8),
    )


@kernel
def list_by_input(images: SparseImages, batch: Indices, lists: PixelLists) -> None:
    """Turn a batch's lists of inputs into each input's list of images; a counting sort.

    Args:
        images: Of one split.
        batch: Rows of them.
        lists: Filled.
    """
    ends = lists.ends
    ends[:] = 0
    for image in batch:
        inputs = images.inputs[images.starts[image] : images.starts[image + 1]]
        for j in range(inputs.shape[0]):
            ends[inputs[j]] += u32(1)
    total = u32(0)
    for i in range(ends.shape[0]):
        lists.starts[i] = total
        total += ends[i]
        ends[i] = lists.starts[i]
    lists.starts[ends.shape[0]] = total
    for place in range(batch.shape[0]):
        first, last = images.starts[batch[place]], images.starts[batch[place] + 1]
        inputs, codes = images.inputs[first:last], images.codes[first:last]
        for j in range(inputs.shape[0]):
            end = ends[inputs[j]]
            lists.images[end] = place
            lists.codes[end] = codes[j]
            ends[inputs[j]] = end + u32(1)


@kernel
def prefetch_images(images: SparseImages, batch: Indices) -> None:
    """Bring a batch's lists into the cache: a shuffled epoch reads them from all over memory.

    Args:
        images: Of one split.
        batch: Rows of them; may be empty.
    """
    for image in batch:
        _prefetch(images.inputs, images.starts[image], images.starts[image + 1])
        _prefetch(images.codes, images.starts[image], images.starts[image + 1])


@kernel
def _prefetch(array: npt.NDArray[Any], start: int, stop: int) -> None:
    for i in range(start, stop, 64 // array.itemsize):  # a cache line
        prefetch_line(array, i)
