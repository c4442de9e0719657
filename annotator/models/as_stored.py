"""A model whose suggestions are shown as they are stored."""

from __future__ import annotations

from collections.abc import Mapping

from storage.records import Post, Prediction


class AsStored:
    """For reviewing, as `annotator.review.decisions.Model` asks: nothing is known that would be better."""

    def predictions(self, post: Post) -> dict[str, Prediction]:
        """What is stored for the post, by criterion id."""
        raise NotImplementedError

    def stored(self, post: Post) -> dict[str, Prediction]:
        return self.predictions(post)

    def improved(self, post: Post, predictions: Mapping[str, Prediction]) -> Mapping[str, Prediction]:
        return predictions
