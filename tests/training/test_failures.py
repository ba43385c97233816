"""What PyTorch and the system say of missing memory becomes an error with a remedy."""

import errno

import pytest

from deeplab.support.errors import ResourceError
from deeplab.training.failures import translate_torch_errors


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
     "[Errno 2] No such file")])
def test_a_full_or_missing_shared_memory_is_named_with_its_remedy(error, found):
    with pytest.raises(ResourceError, match=r"E-WORKER(?s:.*)--shm-size") as caught:
        with translate_torch_errors(8, workers=2):
            raise error
    assert f"found: {found}" in str(caught.value)


@pytest.mark.parametrize("error, workers", [
    (OSError(errno.ENOSPC, "No space left on device"), 0),
    (FileNotFoundError(errno.ENOENT, "No such file or directory", "labels/1.png"), 2),
    (RuntimeError("shapes cannot be multiplied"), 2)])
def test_what_is_not_about_memory_stays_what_it_is(error, workers):
    with pytest.raises(type(error)) as caught, translate_torch_errors(8, workers=workers):
        raise error
    assert caught.value is error
