"""The claims of the contract, a chapter a module. A test's docstring is the claim it tests."""
