"""What a model may call: one small typed file a tool, put together by `roles.model.kit`."""
