"""State contracts: can a version read what another wrote, be rolled back to, and be hopped to and from?"""
