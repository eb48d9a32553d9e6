"""What is fetched beside a repository: charts and remote bases. Names, versions and logins; no I/O."""
