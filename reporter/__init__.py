"""Quantities to what people read: tables, CSV, PDF."""
