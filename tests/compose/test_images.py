"""The images: shown before anything is fetched, and made once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labkit.stack.compose import images as listed_images

if TYPE_CHECKING:
    from driver import Checkout


def test_all_images_are_shown(images: str) -> None:
    for image in listed_images.listed():
        assert image.short in images
    assert "to be fetched" not in images


@pytest.mark.parametrize(("language", "word"), [("en", "No stand-in is needed"), ("zh-TW", "不需要替身")])
def test_nothing_is_made_twice(checkout: Checkout, images: str, language: str, word: str) -> None:
    assert word in checkout.lab("images", "--offline", "--lang", language).stdout
