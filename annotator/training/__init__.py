"""From corrections to a model: data, training in its forms, measuring, promotion, the registry."""
