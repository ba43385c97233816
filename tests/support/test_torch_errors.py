"""What PyTorch and the system say of missing memory becomes an error with a remedy."""

import errno

import pytest

from deeplab.support.errors import ResourceError
from deeplab.support.torch_errors import translate_torch_errors


def shared(text):
    return RuntimeError("Caught RuntimeError in DataLoader worker process 0.\nOriginal Traceback "
                        f"(most recent call last):\n  ...\nRuntimeError: {text}\n")


@pytest.mark.parametrize("error, found", [
    (shared("unable to allocate shared memory(shm) for file </torch_7_1_0>: No space left on "
            "device (28)"), "RuntimeError: unable to allocate"),
    (shared("unable to write to file </torch_7_1_0>: No space left on device (28)"),
     "RuntimeError: unable to write"),
    (OSError(errno.ENOSPC, "No space left on device"), "[Errno 28] No space left"),
    (FileNotFoundError(errno.ENOENT, "No such file or directory"),
     "[Errno 2] No such file"),
    (RuntimeError("NCCL error in: ProcessGroupNCCL.cpp, unhandled system error\n"
                  "Error while creating shared memory segment /dev/shm/nccl-x (size 9637888)"),
     "Error while creating shared memory segment")])
def test_a_full_or_missing_shared_memory_is_named_with_its_remedy(error, found):
    with pytest.raises(ResourceError, match=r"E-WORKER(?s:.*)--shm-size") as caught:
        with translate_torch_errors("a step", workers=2):
            raise error
    assert f"found: {found}" in str(caught.value)


@pytest.mark.parametrize("error, workers", [
    (OSError(errno.ENOSPC, "No space left on device"), 0),
    (FileNotFoundError(errno.ENOENT, "No such file or directory", "labels/1.png"), 2),
    (RuntimeError("shapes cannot be multiplied"), 2)])
def test_what_is_not_about_memory_stays_what_it_is(error, workers):
    with pytest.raises(type(error)) as caught, translate_torch_errors("a step", workers=workers):
        raise error
    assert caught.value is error


@pytest.mark.parametrize("text", [
    "CUDA out of memory. Tried to allocate 2.00 GiB", "CUDA error: out of memory",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "MPS backend out of memory (MPS allocated: 9.07 GB, other allocations: 1 KB)",
    "[enforce fail at alloc_cpu.cpp] can't allocate memory: you tried to allocate 9 bytes"])
def test_every_way_to_run_out_of_memory_is_named(text):
    with pytest.raises(ResourceError, match="E-OOM not enough memory for a photograph") as caught:
        with translate_torch_errors("a photograph"):
            raise RuntimeError(text)
    assert f"found: {text}" in str(caught.value) and str(caught.value.__cause__) == text


@pytest.mark.parametrize("text", [
    "CUDA error: CUDA-capable device(s) is/are busy or unavailable",
    "CUDA error: no kernel image is available for execution on the device",
    "No CUDA GPUs are available", "CUDA unknown error - this may be due to an incorrectly set up"])
def test_a_gpu_that_is_there_and_cannot_be_used_is_said_in_our_words(text):
    with pytest.raises(ResourceError, match="E-CUDA a GPU cannot be used(?s:.*)doctor") as caught:
        with translate_torch_errors("a step"):
            raise RuntimeError(text)
    assert f"found: {text}" in str(caught.value)
