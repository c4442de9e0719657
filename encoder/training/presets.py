"""Settings that are known to work, by name. No torch."""

from __future__ import annotations

from encoder.config import TrainConfig

PRESETS: dict[str, TrainConfig] = {
    # the bundled model on a CPU: 50 corrected posts in about a minute
    "quick": TrainConfig(
        max_steps=100,
        learning_rate=1e-3,
        head_learning_rate=1e-3,
        batch_size=16,
        attention_dropout=0.0,
        token_masking=0.06,
        sentence_loss=9.0,
        token_loss=2.0,
        post_loss=1.0,
        patience=0,
        threads=2,
    ),
    # a Gemma of 270M to 4B on one GPU
    "standard": TrainConfig(
        method="lora",
        epochs=3.0,
        learning_rate=2e-4,
        head_learning_rate=1e-3,
        batch_size=8,
        accumulation=2,
        gradient_checkpointing=True,
    ),
    # the same, longer, all weights, with a stage of masked tokens before it
    "thorough": TrainConfig(
        method="full",
        epochs=5.0,
        learning_rate=2e-5,
        head_learning_rate=1e-3,
        batch_size=8,
        accumulation=4,
        gradient_checkpointing=True,
        adaptation_steps=500,
        patience=4,
    ),
}
