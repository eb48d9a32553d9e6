"""What people and Git servers are told of a step: which news, in which words and form, how often."""
