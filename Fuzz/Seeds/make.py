#!/usr/bin/env python3
"""Writes the seeds of all corpora, and the dictionaries: files as small as their formats allow that reach far, and random decisions for
what draws its input.

Inputs that a fault was found with lie beside them under names of their own, and stay. Needs nothing but Python.
"""
from calls import make_benchmark_files, make_cases, make_commands, make_draws, make_saved_caches
from chats import make_chats
from models import make_configurations, make_tokenizers
from tensor_files import make_gguf, make_npy, make_safetensors
from words import make_dictionaries

if __name__ == "__main__":
    make_safetensors()
    make_gguf()
    make_npy()
    make_configurations()
    make_tokenizers()
    make_chats()
    make_cases()
    make_saved_caches()
    make_commands()
    make_benchmark_files()
    make_draws()
    make_dictionaries()
