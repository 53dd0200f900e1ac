"""The Online Marketplace benchmark over HTTP: its data, transactions and criteria.

R. Laigner et al., "Online Marketplace: A Benchmark for Data Management in
Microservices", Proc. ACM Manag. Data 3(1), 2025, doi 10.1145/3709653.
"""
