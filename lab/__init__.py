"""The cloud on one machine: every service the pipeline talks to, real or a documented stand-in, on 127.0.0.1."""
