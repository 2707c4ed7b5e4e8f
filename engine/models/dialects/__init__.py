"""One module for each wire format. What a dialect must do stands in `engine.models.dialect`."""
