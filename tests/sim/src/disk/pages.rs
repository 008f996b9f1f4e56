//! A file's bytes as pages. Pages are shared between what the page cache shows and what is on the
//! platter until one of them is written.
use std::collections::BTreeMap;
use std::sync::Arc;

pub const PAGE: usize = 4096;

#[derive(Clone, Default)]
pub struct Pages {
    pages: BTreeMap<u64, Arc<[u8; PAGE]>>,
    pub len: u64,
}

impl Pages {
    pub fn page(&self, number: u64) -> Option<Arc<[u8; PAGE]>> {
        self.pages.get(&number).cloned()
    }

    /// `None` makes it a hole of zeros.
    pub fn set_page(&mut self, number: u64, page: Option<Arc<[u8; PAGE]>>) {
        match page {
            Some(page) => self.pages.insert(number, page),
            None => self.pages.remove(&number),
        };
    }

    /// How many pages take up room.
    pub fn held(&self) -> u64 {
        self.pages.len() as u64
    }

    pub fn read(&self, into: &mut [u8], position: u64) -> usize {
        let length = (self.len.saturating_sub(position)).min(into.len() as u64) as usize;
        let mut done = 0;
        while done < length {
            let at = position + done as u64;
            let (number, offset) = (at / PAGE as u64, at as usize % PAGE);
            let here = (PAGE - offset).min(length - done);
            match self.pages.get(&number) {
                Some(page) => into[done..done + here].copy_from_slice(&page[offset..offset + here]),
                None => into[done..done + here].fill(0),
            }
            done += here;
        }
        length
    }

    /// Writes and returns the numbers of the pages that were touched.
    pub fn write(&mut self, bytes: &[u8], position: u64) -> std::ops::Range<u64> {
        let mut done = 0;
        while done < bytes.len() {
            let at = position + done as u64;
            let (number, offset) = (at / PAGE as u64, at as usize % PAGE);
            let here = (PAGE - offset).min(bytes.len() - done);
            let page = self.pages.entry(number).or_insert_with(|| Arc::new([0; PAGE]));
            Arc::make_mut(page)[offset..offset + here].copy_from_slice(&bytes[done..done + here]);
            done += here;
        }
        self.len = self.len.max(position + bytes.len() as u64);
        position / PAGE as u64..(position + bytes.len() as u64).div_ceil(PAGE as u64)
    }

    pub fn set_len(&mut self, len: u64) {
        if len < self.len {
            self.pages.split_off(&len.div_ceil(PAGE as u64));
            // What a later growth shows behind the old end is zeros.
            let offset = len as usize % PAGE;
            if offset > 0
                && let Some(page) = self.pages.get_mut(&(len / PAGE as u64))
            {
                Arc::make_mut(page)[offset..].fill(0);
            }
        }
        self.len = len;
    }
}
