"""The kit of the tests: videos that carry their frame number, and predictors that misbehave on cue."""
