"""placeholder"""

from console.families import Family

FAMILY = Family("particle", "Particle", (), ())
