"""npm packages: names, versions, integrity, packuments, access rules, policy. Functions on values, without input or
output; keys and signatures are in `trust`."""
