"""The port to key services: Vault's transit engine and AWS KMS open the data keys of SOPS files."""
