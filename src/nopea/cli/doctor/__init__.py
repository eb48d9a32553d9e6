"""What `nopea doctor` examines: each module looks at one subject and yields findings. Reads only."""
